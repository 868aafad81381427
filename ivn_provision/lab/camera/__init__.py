"""An AXIS camera that speaks VAPIX on loopback: its profiles are data, its behaviour follows facts/axis.md, part 13."""
