"""scikit-learn's classes: the only folder that imports scikit-learn."""
