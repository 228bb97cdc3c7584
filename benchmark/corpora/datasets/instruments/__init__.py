"""Who or what sounds: single notes, solo recordings, instruments and voices in mixtures."""
