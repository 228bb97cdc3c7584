"""From a frozen encoder to scores: embed, draw label fractions, probe; and the supervised bar beside it."""
