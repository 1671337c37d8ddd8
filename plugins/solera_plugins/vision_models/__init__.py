"""Networks of timm and torchvision, where they are installed."""
