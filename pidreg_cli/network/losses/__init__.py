"""Terms of the loss that shape the codes; each a function of tensors."""
