"""Acting at scale: episodes, Ray actors, collection, finetuning, evaluation."""
