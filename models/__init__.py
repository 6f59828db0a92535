"""The reference models: jet tagger, overlap muon track finder, calorimeter energy."""
