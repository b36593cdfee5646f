"""Models of other makers as model folders; nothing that they bring is ever run.

`monai_bundle` reads bundles as MONAI's model zoo publishes them, `nnunet` the result folders of
nnU-Net v2 and TotalSegmentator. What they share: `source` opens folders and zips, `settings` takes
values given by hand, `checkpoint` reads weights, `naming` names labels.
"""
