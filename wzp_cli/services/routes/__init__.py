"""Ways for a call's packets: found, checked, chosen, changed."""
