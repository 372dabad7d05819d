package leanmq

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/go-playground/validator/v10"
	"github.com/rs/zerolog"
)

// An Option configures a client.
type Option func(*clientConfig)

type clientConfig struct {
	Prefix string `validate:"min=1,max=64,printascii,excludesall={}:" want:"1 to 64 printable ASCII characters without braces and colons"`
	log    zerolog.Logger
	mws    []Middleware
	sends  []SendMiddleware
	chain  SendFunc // sends, composed
	hooks  []Hooks

	payload payloadConfig // see codec.go and seal.go
}

// Prefix sets what all keys begin with. Default "leanmq". Clients with
// different prefixes see nothing of each other.
func Prefix(p string) Option { return func(c *clientConfig) { c.Prefix = p } }

// Logger sets where the client logs. Default: nowhere. It logs a line for an
// outage and one for its end, for dead letters, lost leases and panics; never
// payloads.
func Logger(l zerolog.Logger) Option { return func(c *clientConfig) { c.log = l } }

// A ConsumeOption configures one Consume.
type ConsumeOption func(*consumeConfig)

type consumeConfig struct {
	Concurrency   int           `validate:"min=1,max=100000"`
	Lease         time.Duration `validate:"min=100ms,max=24h"`
	DrainTimeout  time.Duration `validate:"min=1ms,max=24h"`
	MaxDeliveries int           `validate:"min=1,max=1000000"`
	Retry         RetryPolicy
	OnExpired     ExpiryPolicy `validate:"max=1" want:"DropExpired or DeadLetterExpired"`
	rules         rules
	maxRunTime    time.Duration
	mws           []Middleware
	weights       [slots]int // zero: strict
	limits        *Limits
	batch         batching
	start         *Position // of a topic's group that is not there yet
	types         *[]string // its filter
	err           error     // of an option
}

func (c *consumeConfig) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// consumeConfig applies options to the defaults and checks what comes out.
func (q *Queue) consumeConfig(opts []ConsumeOption) (consumeConfig, error) {
	cfg := consumeConfig{
		Concurrency:   16,
		Lease:         30 * time.Second,
		DrainTimeout:  25 * time.Second,
		MaxDeliveries: 5,
	}
	for _, o := range opts {
		o(&cfg)
	}
	if q.err != nil {
		return cfg, q.err
	}
	if cfg.err != nil {
		return cfg, cfg.err
	}
	if err := q.groupConfig(&cfg); err != nil {
		return cfg, err
	}
	if err := cfg.Retry.conflict("Retry"); err != nil {
		return cfg, err
	}
	if err := cfg.rules.check(); err != nil {
		return cfg, err
	}
	cfg.Retry = cfg.Retry.withDefaults()
	if err := checkMiddleware("Use", cfg.mws); err != nil {
		return cfg, err
	}
	if cfg.maxRunTime != 0 {
		if err := checkRunTime("MaxRunTime", cfg.maxRunTime); err != nil {
			return cfg, err
		}
	}
	return cfg, check(&cfg)
}

// Concurrency sets how many handlers run at once. Default 16.
func Concurrency(n int) ConsumeOption { return func(c *consumeConfig) { c.Concurrency = n } }

// Lease sets how long a message stays with a worker that gives no sign of life.
// It is renewed every third of it while the handler runs. All consumers of a queue
// should have the same: one with a shorter lease takes from the others what they
// have not renewed yet. Default 30 s.
func Lease(d time.Duration) ConsumeOption { return func(c *consumeConfig) { c.Lease = d } }

// DrainTimeout sets how long a stopping consumer lets its handlers run before
// it cancels them. Default 25 s: less than the 30 s that Kubernetes grants.
func DrainTimeout(d time.Duration) ConsumeOption {
	return func(c *consumeConfig) { c.DrainTimeout = d }
}

// MaxDeliveries sets how often a message is handed out without being settled
// before it is dead-lettered as one that kills its workers. Default 5.
func MaxDeliveries(n int) ConsumeOption { return func(c *consumeConfig) { c.MaxDeliveries = n } }

// Retry sets the retry policy.
func Retry(p RetryPolicy) ConsumeOption { return func(c *consumeConfig) { c.Retry = p } }

var validate = sync.OnceValue(func() *validator.Validate {
	return validator.New(validator.WithRequiredStructEnabled())
})

// check validates a configuration by its tags and names the first field that is
// out of bounds.
func check(config any) error {
	err := validate().Struct(config)
	if err == nil {
		return nil
	}
	fields, ok := errors.AsType[validator.ValidationErrors](err)
	if !ok {
		return err
	}
	f := fields[0]
	_, name, _ := strings.Cut(f.StructNamespace(), ".")
	want := f.Tag() + " " + f.Param()
	if rule, ok := wanted(config, name); ok {
		want = rule
	}
	return invalid(name, "is %v: want %s", show(f.Value()), want)
}

// wanted returns the whole rule of a field in words, because "1 to 100000" helps
// more than the half of it that failed. A rule that is more than bounds has its words
// in the tag "want".
func wanted(config any, path string) (string, bool) {
	t := reflect.Indirect(reflect.ValueOf(config)).Type()
	var f reflect.StructField
	for _, name := range strings.Split(path, ".") {
		var ok bool
		if f, ok = t.FieldByName(name); !ok {
			return "", false
		}
		t = f.Type
	}
	if want, ok := f.Tag.Lookup("want"); ok {
		return want, true
	}
	return bounds(f.Tag.Get("validate")), true
}

// bounds says "min=1,max=100000" in words.
func bounds(rule string) string {
	rule, optional := strings.CutPrefix(rule, "omitempty,")
	low, high, both := strings.Cut(strings.TrimPrefix(rule, "min="), ",max=")
	want := low + " or more"
	if both {
		want = low + " to " + high
	}
	if optional {
		want = "0, or " + want
	}
	return want
}

func show(v any) string {
	if s, ok := v.(string); ok {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprint(v)
}
