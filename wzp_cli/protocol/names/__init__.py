"""Who somebody is, is called, may do; and what strangers write."""
