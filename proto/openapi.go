package proto

import _ "embed"

// OpenAPI is the generated OpenAPI 2.0 description of ChatService's REST paths, in JSON. It describes plain protojson;
// the gateway adapts it to the JSON it really speaks before serving it. It must not be changed.
//
//go:embed gen/openapi/chat.swagger.json
var OpenAPI []byte
