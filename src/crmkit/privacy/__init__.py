"""Privacy by declaration: what the columns say of persons is what export, erasure, retention and seals go by."""
