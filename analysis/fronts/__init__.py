"""The mathematics of fronts: dominance, hypervolume, attainment, Bjøntegaard deltas."""
