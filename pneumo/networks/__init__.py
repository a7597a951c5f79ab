"""The Keras networks, built and not trained: classifiers by name, the lungs' U-Net, the gate's network, ensembles."""
