package webhook_test

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	_ "github.com/leanmq/leanmq/leanmq/embedded"
	"github.com/leanmq/leanmq/webhook"
)

// panicOf is what f panics with, or "".
func panicOf(f func()) (text string) {
	defer func() {
		if v := recover(); v != nil {
			text = fmt.Sprint(v)
		}
	}()
	f()
	return ""
}

// place is the file and the line so many lines below its caller.
func place(below int) string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d", file, line+below)
}

func newService(t *testing.T) *webhook.Service {
	t.Helper()
	return webhook.NewService("orders", open(t, "mem://"))
}

var nothing webhook.Handler = func(context.Context, *webhook.Request) (*webhook.Response, error) { return nil, nil }

// Every way to register a handler tells where that was, and not where in this
// package it ended up.
func TestConflictingRegistrationNamesBothPlaces(t *testing.T) {
	typed := func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }
	event := func(context.Context, struct{}) error { return nil }
	for name, register := range map[string]func(s *webhook.Service, pattern string) (at string){
		"Service.Handle": func(s *webhook.Service, pattern string) (at string) {
			at = place(1)
			s.Handle(pattern, nothing)
			return at
		},
		"Group.Handle": func(s *webhook.Service, pattern string) (at string) {
			at = place(1)
			s.Group("").Group("").Handle(pattern, nothing)
			return at
		},
		"Handle": func(s *webhook.Service, pattern string) (at string) {
			at = place(1)
			webhook.Handle(s, pattern, typed)
			return at
		},
		"Handle in a group": func(s *webhook.Service, pattern string) (at string) {
			at = place(1)
			webhook.Handle(s.Group(""), pattern, typed)
			return at
		},
		"On": func(s *webhook.Service, pattern string) (at string) {
			at = place(1)
			webhook.On(s, pattern, event)
			return at
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			first := register(s, "GET /orders/{id}")
			var second string
			text := panicOf(func() {
				second = place(1)
				s.Handle("GET /{what}/new", nothing)
			})
			if filepath.Base(strings.Split(first, ":")[0]) != "register_test.go" {
				t.Fatalf("the test is wrong about its own place: %s", first)
			}
			for _, part := range []string{
				`"GET /{what}/new" (registered at ` + second + `)`,
				`"GET /orders/{id}" (registered at ` + first + `)`,
				"GET /orders/new", // what both would match
			} {
				if !strings.Contains(text, part) {
					t.Errorf("the panic does not tell %s:\n%s", part, text)
				}
			}
			if text := panicOf(func() { register(s, "GET /orders/{id}") }); strings.Count(text, first) != 2 {
				t.Errorf("the same pattern again at %s:\n%s", first, text)
			}
		})
	}
}

func TestRegistrationPanicsAtItsPlace(t *testing.T) {
	s := newService(t)
	var at string
	for name, tt := range map[string]struct {
		register func()
		want     []string
	}{
		"malformed pattern":       {func() { at = place(0); s.Handle("/orders/{id", nothing) }, []string{`"/orders/{id"`, "offset"}},
		"lower-case method":       {func() { at = place(0); s.Handle("get /orders", nothing) }, []string{`"get /orders"`}},
		"empty pattern":           {func() { at = place(0); s.Handle("", nothing) }, []string{`""`}},
		"no slash":                {func() { at = place(0); s.Handle("orders", nothing) }, []string{`"orders"`}},
		"group without its slash": {func() { at = place(0); s.Group("orders").Handle("POST /create", nothing) }, []string{"orders/create"}},
		"nil handler":             {func() { at = place(0); s.Handle("/nil", nil) }, []string{`"/nil"`, "nil handler"}},
		"nil middleware":          {func() { at = place(0); s.Handle("/nil", nothing, webhook.With(nil)) }, []string{`"/nil"`, "nil middleware"}},
		"nil middleware of group": {func() { at = place(0); s.Group("/g", nil).Handle("/nil", nothing) }, []string{"nil middleware"}},
		"status of no response":   {func() { at = place(0); s.Handle("/early", nothing, webhook.Status(100)) }, []string{`"/early"`, "Status 100", "200 to 999"}},
		"status beyond all":       {func() { at = place(0); s.Handle("/far", nothing, webhook.Status(1000)) }, []string{"Status 1000"}},
	} {
		text := panicOf(tt.register)
		for _, part := range append(tt.want, at) {
			if !strings.Contains(text, part) {
				t.Errorf("%s: the panic does not tell %s: %q", name, part, text)
			}
		}
	}
	// Nothing of it is left behind.
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "no routes") {
		t.Errorf("Run: %v", err)
	}
}

func TestTypedNilHandlerPanicsAtItsPlace(t *testing.T) {
	s := newService(t)
	var typed func(context.Context, struct{}) (struct{}, error)
	var event func(context.Context, struct{}) error
	for name, register := range map[string]func(){
		"Handle": func() { webhook.Handle(s, "/typed", typed) },
		"On":     func() { webhook.On(s, "/event", event) },
	} {
		text := panicOf(register)
		if !strings.Contains(text, "nil handler") || !strings.Contains(text, "register_test.go:") {
			t.Errorf("%s: a nil handler is found out at its first message: %q", name, text)
		}
	}
}
