"""What goes over the wire, a module a resource: request bodies, response schemas, documents."""
