package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"github.com/go-playground/form/v4"
	"github.com/go-playground/locales/en"
	ut "github.com/go-playground/universal-translator"
	"github.com/go-playground/validator/v10"
	translations "github.com/go-playground/validator/v10/translations/en"

	"github.com/leanmq/leanmq/leanmq"
)

// binding turns requests into values and checks them. It is safe for concurrent
// use.
type binding struct {
	validate *validator.Validate
	text     ut.Translator
	sources  []source
}

// source is a part of a request that fields can be tagged with.
type source struct {
	tag     string
	decoder *form.Decoder
	values  func(*Request) url.Values
}

func newBinding() *binding {
	b := &binding{validate: validator.New(validator.WithRequiredStructEnabled())}
	b.validate.RegisterTagNameFunc(fieldName)
	english := en.New()
	b.text, _ = ut.New(english, english).GetTranslator("en")
	if err := translations.RegisterDefaultTranslations(b.validate, b.text); err != nil {
		panic(err) // only after a second registration
	}
	for tag, values := range map[string]func(*Request) url.Values{
		"path": func(r *Request) url.Values {
			v := url.Values{}
			for name, value := range r.values.all() {
				v.Set(name, value)
			}
			return v
		},
		"query": (*Request).QueryValues,
		"header": func(r *Request) url.Values {
			v := url.Values{}
			for name, value := range r.Message.Header {
				v.Set(name, value)
			}
			return v
		},
	} {
		d := form.NewDecoder()
		d.SetTagName(tag)
		d.SetMode(form.ModeExplicit)
		b.sources = append(b.sources, source{tag, d, values})
	}
	return b
}

// fieldName is what a field is called in messages to callers.
func fieldName(f reflect.StructField) string {
	for _, tag := range []string{"json", "path", "query", "header"} {
		if name, _, _ := strings.Cut(f.Tag.Get(tag), ","); name != "" && name != "-" {
			return name
		}
	}
	return f.Name
}

// Validator gives access to the service's validator, to register rules and
// types before Run.
func (s *Service) Validator() *validator.Validate { return s.bind.validate }

// bindTo returns what makes a T of a request. What T needs is found out once.
func bindTo[T any](b *binding) func(*Request) (T, error) {
	t := reflect.TypeFor[T]()
	switch {
	case t == reflect.TypeFor[[]byte](), t == reflect.TypeFor[json.RawMessage]():
		return func(r *Request) (T, error) {
			return reflect.ValueOf(r.Body).Convert(t).Interface().(T), nil
		}
	case t == reflect.TypeFor[struct{}]():
		return func(*Request) (in T, err error) { return in, nil }
	}
	base := t
	for base.Kind() == reflect.Pointer {
		base = base.Elem()
	}
	var sources []source
	for _, s := range b.sources {
		if base.Kind() == reflect.Struct && hasTag(base, s.tag, map[reflect.Type]bool{}) {
			sources = append(sources, s)
		}
	}
	return func(r *Request) (in T, err error) {
		if t.Kind() == reflect.Pointer {
			in = reflect.New(t.Elem()).Interface().(T)
		}
		if err := decodeBody(r, &in); err != nil {
			return in, err
		}
		for _, s := range sources {
			if err := s.decode(&in, r); err != nil {
				return in, err
			}
		}
		return in, b.check(in)
	}
}

// hasTag reports whether a field of the struct, at any depth, has the tag.
func hasTag(t reflect.Type, tag string, seen map[reflect.Type]bool) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || seen[t] {
		return false
	}
	seen[t] = true
	for f := range t.Fields() {
		if f.Tag.Get(tag) != "" || hasTag(f.Type, tag, seen) {
			return true
		}
	}
	return false
}

func (s *source) decode(in any, r *Request) error {
	err := s.decoder.Decode(in, s.values(r))
	var fields form.DecodeErrors
	if errors.As(err, &fields) {
		p := Unprocessable()
		for name := range fields {
			p.Fields = append(p.Fields, FieldProblem{name, "is malformed"})
		}
		return p.WithCause(err)
	}
	return err
}

// decodeBody decodes JSON strictly: one value, without unknown fields.
func decodeBody(r *Request, in any) error {
	if len(bytes.TrimSpace(r.Body)) == 0 {
		return nil // the rules say whether anything is missing
	}
	if ct := r.Header("content-type"); !isJSON(ct, r.Body) {
		return NewProblem(http.StatusUnsupportedMediaType, "the content type is %.100q: send application/json", ct)
	}
	d := json.NewDecoder(bytes.NewReader(r.Body))
	d.DisallowUnknownFields()
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

// check applies the rules of the validate tags.
func (b *binding) check(in any) error {
	v := reflect.ValueOf(in)
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	var err error
	switch v.Kind() {
	case reflect.Struct:
		err = b.validate.Struct(v.Interface())
	case reflect.Slice, reflect.Map:
		if k := v.Type().Elem().Kind(); k == reflect.Struct || k == reflect.Pointer {
			err = b.validate.Var(v.Interface(), "dive")
		}
	}
	var fields validator.ValidationErrors
	if !errors.As(err, &fields) {
		return err
	}
	p := Unprocessable()
	for _, f := range fields {
		name := f.Namespace()
		if _, rest, ok := strings.Cut(name, "."); ok && v.Kind() == reflect.Struct {
			name = rest
		}
		reason := strings.TrimPrefix(f.Translate(b.text), f.Field()+" ")
		p.Fields = append(p.Fields, FieldProblem{name, reason})
	}
	return p
}

// requestIDHeader is the header that a request's id travels in.
const requestIDHeader = "x-request-id"

// respond turns what a handler returned into the message's reply and verdict.
func (rt *route) respond(m *leanmq.Message, resp *Response, err error) error {
	if err != nil {
		return fail(m, err)
	}
	if !m.WantsReply() {
		return nil
	}
	reply := leanmq.Reply{Status: rt.status}
	if resp != nil {
		reply.Header, reply.Payload = resp.Header, resp.Body
		if resp.Status != 0 {
			reply.Status = resp.Status
		}
	}
	if reply.Status == 0 {
		reply.Status = http.StatusOK
		if len(reply.Payload) == 0 {
			reply.Status = http.StatusNoContent
		}
	}
	m.Reply(reply)
	return nil
}

// fail answers with a problem, or says what the queue is to do with the message.
func fail(m *leanmq.Message, err error) error {
	p := problemOf(err)
	if m.WantsReply() {
		r := p.Response(m.Header.Get(requestIDHeader))
		m.Reply(leanmq.Reply{Status: r.Status, Header: r.Header, Payload: r.Body})
		return err
	}
	switch {
	case p.clientsFault():
		return leanmq.Reject(err)
	case p.RetryAfter > 0:
		return leanmq.RetryAfter(p.RetryAfter, err)
	}
	return err
}
