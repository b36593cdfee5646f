/** Chinese names of the anatomy that `delineate.imaging.anatomy` knows, sides left out. */

const NAMES: Readonly<Record<string, string>> = {
  lung: "肺", lung_upper_lobe: "肺上叶", lung_middle_lobe: "肺中叶", lung_lower_lobe: "肺下叶",
  liver: "肝脏", spleen: "脾脏", kidney: "肾", stomach: "胃", urinary_bladder: "膀胱", bones: "骨骼",
  aorta: "主动脉", heart: "心脏", inferior_vena_cava: "下腔静脉", bowel: "肠道", gallbladder: "胆囊",
  pancreas: "胰腺", adrenal_gland: "肾上腺", esophagus: "食管", trachea: "气管", bronchus: "支气管",
  thyroid_gland: "甲状腺", small_bowel: "小肠", duodenum: "十二指肠", colon: "结肠", large_bowel: "大肠",
  rectum: "直肠", prostate: "前列腺", seminal_vesicle: "精囊腺", uterus: "子宫", ovary: "卵巢",
  testis: "睾丸", ureter: "输尿管", urethra: "尿道", breast: "乳腺", diaphragm: "膈肌", thymus: "胸腺",
  kidney_cyst: "肾囊肿", skin: "皮肤", external: "体表", face: "面部", sacrum: "骶骨", vertebrae: "椎骨",
  spine: "脊柱", skull: "颅骨", mandible: "下颌骨", maxilla: "上颌骨", hyoid_bone: "舌骨", sternum: "胸骨",
  costal_cartilages: "肋软骨", rib: "肋骨", clavicle: "锁骨", scapula: "肩胛骨", humerus: "肱骨",
  radius: "桡骨", ulna: "尺骨", femur: "股骨", femoral_head: "股骨头", patella: "髌骨", tibia: "胫骨",
  fibula: "腓骨", hip: "髋骨", heart_atrium: "心房", heart_ventricle: "心室", heart_myocardium: "心肌",
  atrial_appendage: "心耳", pericardium: "心包", pulmonary_artery: "肺动脉", pulmonary_vein: "肺静脉",
  superior_vena_cava: "上腔静脉", portal_vein_and_splenic_vein: "门静脉和脾静脉", portal_vein: "门静脉",
  splenic_vein: "脾静脉", brachiocephalic_trunk: "头臂干", brachiocephalic_vein: "头臂静脉",
  subclavian_artery: "锁骨下动脉", common_carotid_artery: "颈总动脉", carotid_artery: "颈动脉",
  coronary_arteries: "冠状动脉", iliac_artery: "髂动脉", iliac_vena: "髂静脉", gluteus_maximus: "臀大肌",
  gluteus_medius: "臀中肌", gluteus_minimus: "臀小肌", autochthon: "竖脊肌", iliopsoas: "髂腰肌",
  skeletal_muscle: "骨骼肌", brain: "脑", brainstem: "脑干", cerebellum: "小脑", hippocampus: "海马",
  temporal_lobe: "颞叶", pituitary_gland: "垂体", spinal_cord: "脊髓", spinal_canal: "椎管",
  brachial_plexus: "臂丛神经", optic_nerve: "视神经", optic_chiasm: "视交叉", eye: "眼", eyeball: "眼球",
  orbit: "眼眶", lens: "晶状体", lacrimal_gland: "泪腺", cochlea: "耳蜗", parotid_gland: "腮腺",
  submandibular_gland: "下颌下腺", larynx: "喉", pharynx: "咽", oral_cavity: "口腔", tongue: "舌", lips: "唇",
};

/** `kidney_left` is 左肾, `vertebrae_L3` is L3椎体, `rib_left_4` is 左侧第4肋; nothing for others. */
export function inChinese(name: string): string | undefined {
  const vertebra = /^vertebrae_([CTLS]\d+)$/.exec(name);
  if (vertebra) return `${vertebra[1]}椎体`;
  const side = /_(left|right)(?=_|$)/.exec(name)?.[1];
  const prefix = side ? { left: "左", right: "右" }[side]! : "";
  const plain = name.replace(/_(left|right)(?=_|$)/, "");
  const rib = /^rib_(\d+)$/.exec(plain);
  if (rib) return `${prefix && `${prefix}侧`}第${rib[1]}肋`;
  const known = Object.hasOwn(NAMES, plain) ? NAMES[plain] : undefined;
  return known && prefix + known;
}
