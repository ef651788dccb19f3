"""Every compiled line of fastgd besides the parts' own methods. Imports only ``parts``."""
