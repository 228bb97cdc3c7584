"""What to do with somebody's own audio: a run of one question, its learning curve drawn on, the answer in words."""
