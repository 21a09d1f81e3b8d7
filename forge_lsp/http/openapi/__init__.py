"""The API's own description: OpenAPI 3.1, made from the routes and from models."""
