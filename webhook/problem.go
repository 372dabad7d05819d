package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

// ProblemType is the media type of a [Problem] (RFC 9457).
const ProblemType = "application/problem+json"

// Problem is an error that a caller may see: the problem details of RFC 9457. A
// handler returns one to choose status and text; all other errors are answered
// as status 500 without a text.
type Problem struct {
	Type      string         `json:"type,omitempty"` // URI; empty means about:blank
	Title     string         `json:"title"`
	Status    int            `json:"status"`
	Detail    string         `json:"detail,omitempty"`
	RequestID string         `json:"request_id,omitempty"`
	Fields    []FieldProblem `json:"fields,omitempty"`

	// Allow lists the methods that the path has (405).
	Allow []string `json:"-"`
	// RetryAfter says when trying again makes sense (429, 503).
	RetryAfter time.Duration `json:"-"`

	cause error
}

// FieldProblem says what is wrong with one field of a request.
type FieldProblem struct {
	Field  string `json:"field"`
	Reason string `json:"reason"`
}

// NewProblem returns a problem with the status' standard title.
func NewProblem(status int, format string, args ...any) *Problem {
	return &Problem{Status: status, Title: http.StatusText(status), Detail: fmt.Sprintf(format, args...)}
}

// NotFound is a problem with status 404.
func NotFound(format string, args ...any) *Problem {
	return NewProblem(http.StatusNotFound, format, args...)
}

// Conflict is a problem with status 409.
func Conflict(format string, args ...any) *Problem {
	return NewProblem(http.StatusConflict, format, args...)
}

// Unprocessable is a problem with status 422 that names fields.
func Unprocessable(fields ...FieldProblem) *Problem {
	p := NewProblem(http.StatusUnprocessableEntity, "the request is well-formed but not valid")
	p.Fields = fields
	return p
}

// WithCause keeps err for errors.Is, errors.As and the log. It is not shown to
// callers.
func (p *Problem) WithCause(err error) *Problem {
	p.cause = err
	return p
}

// Error shows all of the problem in one line.
func (p *Problem) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s", p.Status, p.Title)
	if p.Detail != "" {
		fmt.Fprintf(&b, ": %s", p.Detail)
	}
	for _, f := range p.Fields {
		fmt.Fprintf(&b, "; %s %s", f.Field, f.Reason)
	}
	if p.cause != nil {
		fmt.Fprintf(&b, ": %v", p.cause)
	}
	return b.String()
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.cause }

// clientsFault reports whether sending the same again cannot help.
func (p *Problem) clientsFault() bool {
	return p.Status >= 400 && p.Status < 500 &&
		p.Status != http.StatusRequestTimeout && p.Status != http.StatusTooManyRequests
}

// problemOf is what a caller may see of err.
func problemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	return NewProblem(http.StatusInternalServerError, "the service failed to handle the request")
}

// Response turns the problem into the response of a handler.
func (p *Problem) Response(requestID string) *Response {
	shown := *p
	shown.RequestID = requestID
	body, err := json.Marshal(&shown)
	if err != nil { // strings and numbers only
		panic(err)
	}
	header := leanmq.Header{"content-type": ProblemType}
	if len(p.Allow) > 0 {
		header["allow"] = strings.Join(p.Allow, ", ")
	}
	if p.RetryAfter > 0 {
		seconds := int64((p.RetryAfter + time.Second - 1) / time.Second)
		header["retry-after"] = strconv.FormatInt(seconds, 10)
	}
	return &Response{Status: p.Status, Header: header, Body: body}
}

// ParseProblem reads a problem from a response's body. One that is none yields a
// problem that has only the status.
func ParseProblem(status int, body []byte) *Problem {
	var p Problem
	if json.Unmarshal(body, &p) != nil || p.Status == 0 {
		p = Problem{Title: http.StatusText(status)}
	}
	p.Status = status
	return &p
}
