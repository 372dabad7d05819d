package webhook

import (
	"encoding/json"
	"errors"
	"net/url"
	"reflect"
	"strings"

	"github.com/go-playground/form/v4"
	"github.com/go-playground/locales/en"
	ut "github.com/go-playground/universal-translator"
	"github.com/go-playground/validator/v10"
	translations "github.com/go-playground/validator/v10/translations/en"
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
