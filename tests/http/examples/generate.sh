# Generate an app, and print what is said of it as it comes.
curl --no-buffer --fail-with-body "$FORGE_URL/api/generate/stream" \
  --header "Authorization: Bearer $FORGE_TOKEN" \
  --json '{"prompt": "Create a React counter component with increment and decrement buttons"}'
