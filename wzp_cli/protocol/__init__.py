"""The rules of wzp without any I/O: values in, values out, and `now` as an argument."""
