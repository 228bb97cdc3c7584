"""What is played when: beats, tempo, key, chords, melody."""
