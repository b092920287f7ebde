"""What makes the OpenAPI document good to generate clients from: names, literal types and true examples."""
