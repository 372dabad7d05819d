package webhook

import (
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"reflect"
	"slices"
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
	structs  []reflect.Type // that requests are decoded into
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
	b.sources = []source{
		newSource("path", func(r *Request) url.Values {
			v := url.Values{}
			for name, value := range r.values.all() {
				v.Set(name, value)
			}
			return v
		}),
		newSource("query", (*Request).QueryValues),
		newSource("header", func(r *Request) url.Values {
			v := url.Values{}
			for name, value := range r.Message.Header {
				v.Set(strings.ToLower(name), value)
			}
			return v
		}),
	}
	return b
}

func newSource(tag string, values func(*Request) url.Values) source {
	d := form.NewDecoder()
	d.SetMode(form.ModeExplicit)
	d.RegisterTagNameFunc(func(f reflect.StructField) string {
		name := f.Tag.Get(tag)
		if name == "" && f.Anonymous && f.Type.Kind() == reflect.Struct {
			return f.Name // or the decoder passes over the fields in it
		}
		if tag == "header" {
			name = strings.ToLower(name) // the case of headers does not matter
		}
		return name
	})
	return source{tag, d, values}
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
	if base.Kind() == reflect.Struct {
		b.structs = append(b.structs, base)
	}
	var sources []source
	for _, s := range b.sources {
		if base.Kind() == reflect.Struct && hasTag(base, s.tag, map[reflect.Type]bool{}) {
			sources = append(sources, s)
		}
	}
	closed := notOfBody(base)
	return func(r *Request) (in T, err error) {
		if t.Kind() == reflect.Pointer {
			in = reflect.New(t.Elem()).Interface().(T)
		}
		if err := decodeBody(r, &in); err != nil {
			return in, err
		}
		if t.Kind() == reflect.Pointer && reflect.ValueOf(in).IsNil() {
			in = reflect.New(t.Elem()).Interface().(T) // null says no more than nothing does
		}
		for _, index := range closed {
			if f, err := reflect.Indirect(reflect.ValueOf(&in).Elem()).FieldByIndexErr(index); err == nil {
				f.SetZero()
			}
		}
		for _, s := range sources {
			if err := s.decode(&in, r); err != nil {
				return in, err
			}
		}
		return in, b.check(in)
	}
}

// notOfBody returns the fields that are not the body's to set, whatever it says:
// those with a tag of another source and without one for JSON. The index is that
// of [reflect.Value.FieldByIndex].
func notOfBody(t reflect.Type) (indexes [][]int) {
	if t.Kind() != reflect.Struct {
		return nil
	}
	for _, f := range reflect.VisibleFields(t) {
		if f.IsExported() && f.Tag.Get("json") == "" && f.Tag.Get("path")+f.Tag.Get("query")+f.Tag.Get("header") != "" {
			indexes = append(indexes, f.Index)
		}
	}
	return indexes
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
	values := s.values(r)
	maps.DeleteFunc(values, func(name string, _ []string) bool { return !bracketsPair(name) })
	err := s.decoder.Decode(in, values)
	var fields form.DecodeErrors
	if errors.As(err, &fields) {
		p := Unprocessable()
		for name := range fields {
			p.Fields = append(p.Fields, FieldProblem{name, "is malformed"})
		}
		slices.SortFunc(p.Fields, func(a, b FieldProblem) int { return strings.Compare(a.Field, b.Field) })
		return p.WithCause(err)
	}
	return err
}

// bracketsPair reports whether the decoder can take a name: it panics on a bracket
// without its other half, which anybody can send.
func bracketsPair(name string) bool {
	open := false
	for _, c := range []byte(name) {
		if c == ']' && !open {
			return false
		}
		open = c == '[' || open && c != ']'
	}
	return !open
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
		if v.Kind() == reflect.Struct {
			name = strings.TrimPrefix(name, v.Type().Name()+".")
		}
		reason := strings.TrimPrefix(f.Translate(b.text), f.Field()+" ")
		if reason == f.Error() { // a rule without a text of its own
			reason = strings.TrimSpace("fails the rule " + f.Tag() + " " + f.Param())
		}
		p.Fields = append(p.Fields, FieldProblem{name, reason})
	}
	return p
}
