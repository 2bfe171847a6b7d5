"""Text to run folder: corpus, tokenizer, predictors and the loop that trains them."""
