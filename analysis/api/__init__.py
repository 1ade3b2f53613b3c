"""The five systems' own routes, in their own shapes."""
