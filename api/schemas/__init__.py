"""Bodies of requests and answers, one module per noun. Requests refuse fields they do not know, and convert nothing."""
