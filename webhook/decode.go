package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"
)

// decodeBody decodes JSON strictly: one value, without unknown fields.
func decodeBody(r *Request, in any) error {
	if len(bytes.TrimSpace(r.Body)) == 0 {
		return nil // the rules say whether anything is missing
	}
	if ct := r.Header("content-type"); !isJSON(ct, r.Body) {
		return NewProblem(http.StatusUnsupportedMediaType, "the content type is %.100q: send application/json", ct)
	}
	d := json.NewDecoder(bytes.NewReader(r.Body))
	if !r.lenient {
		d.DisallowUnknownFields()
	}
	err := d.Decode(in)
	if err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			return nil
		}
		return NewProblem(http.StatusBadRequest, "the body goes on after its JSON value")
	}
	var kind *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); {
	case unknown:
		return Unprocessable(FieldProblem{strings.Trim(name, `"`), "is unknown"}).WithCause(err)
	case errors.As(err, &kind):
		field := kind.Field
		if field == "" {
			field = "body"
		}
		return Unprocessable(FieldProblem{field, fmt.Sprintf("is a JSON %s, want %s", kind.Value, jsonKind(kind.Type))}).WithCause(err)
	case errors.As(err, &syntax):
		return NewProblem(http.StatusBadRequest, "the body is not valid JSON: byte %d", syntax.Offset).WithCause(err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return NewProblem(http.StatusBadRequest, "the body is not valid JSON: it ends too early").WithCause(err)
	}
	// A type's own UnmarshalJSON refused.
	return Unprocessable(FieldProblem{"body", "is malformed"}).WithCause(err)
}

// isJSON reports whether a body of this content type may be decoded as JSON. None
// at all will do, and so does what curl -d calls everything, if the body looks
// like JSON: a form would have its braces escaped.
func isJSON(contentType string, body []byte) bool {
	if contentType == "" {
		return true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil:
		return false
	case kind == "application/x-www-form-urlencoded":
		body = bytes.TrimSpace(body)
		return body[0] == '{' || body[0] == '['
	}
	return kind == "application/json" || strings.HasSuffix(kind, "+json")
}

// jsonKind names a Go type as JSON sees it.
func jsonKind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "a boolean"
	case reflect.String:
		return "a string"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Struct, reflect.Map, reflect.Pointer:
		return "an object"
	}
	return "a number in range"
}
