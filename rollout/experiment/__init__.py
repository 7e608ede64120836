"""The whole experiment: manifests, collection, pretraining, imitation, finetuning, evaluation, report."""
