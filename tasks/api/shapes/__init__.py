"""Wire format, one module per resource: request bodies, response schemas, documents."""
