package openapi

import "strings"

// object is a JSON object.
type object = map[string]any

// upgrade turns what protoc-gen-openapiv2 writes from OpenAPI 2 into 3. It knows the words that generator uses and no others.
func upgrade(v2 object) object {
	paths := object{}
	for path, item := range sub(v2, "paths") {
		ops := object{}
		for method, op := range item.(object) {
			ops[method] = operation(op.(object))
		}
		paths[path] = ops
	}
	return object{
		"paths":      paths,
		"components": object{"schemas": relink(sub(v2, "definitions"))},
	}
}

func operation(op object) object {
	var params []any
	for _, p := range list(op, "parameters") {
		p := p.(object)
		if p["in"] == "body" {
			op["requestBody"] = object{"required": p["required"], "description": text(p["description"]), "content": jsonContent(p["schema"])}
			continue
		}
		params = append(params, parameter(p))
	}
	delete(op, "parameters")
	if params != nil {
		op["parameters"] = params
	}
	for _, r := range sub(op, "responses") {
		r := r.(object)
		if schema, ok := r["schema"]; ok {
			delete(r, "schema")
			r["content"] = jsonContent(schema)
		}
	}
	return op
}

// parameter moves what describes the value into a schema of its own.
func parameter(p object) object {
	out, schema := object{}, object{}
	for k, v := range p {
		switch k {
		case "name", "in", "required", "description":
			out[k] = v
		case "collectionFormat": // repeated parameters are OpenAPI 3's default
		default:
			schema[k] = v
		}
	}
	out["schema"] = relink(schema)
	return out
}

func jsonContent(schema any) object {
	return object{"application/json": object{"schema": relink(schema)}}
}

// relink points every reference to where OpenAPI 3 keeps schemas.
func relink(v any) any {
	switch v := v.(type) {
	case object:
		for k, e := range v {
			if ref, ok := e.(string); ok && k == "$ref" {
				v[k] = strings.Replace(ref, "#/definitions/", schemaRef, 1)
				delete(v, "type") // the generator writes one beside the reference, where it says nothing
				continue
			}
			v[k] = relink(e)
		}
	case []any:
		for i := range v {
			v[i] = relink(v[i])
		}
	}
	return v
}

func sub(o object, key string) object {
	m, _ := o[key].(object)
	return m
}

func list(o object, key string) []any {
	l, _ := o[key].([]any)
	return l
}

func text(v any) string {
	s, _ := v.(string)
	return s
}
