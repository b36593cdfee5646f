"""Training and fine-tuning: from labelled images, or generated bodies, to a model folder."""
