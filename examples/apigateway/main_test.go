package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
)

// The test binary is the program as well: what it prints and how it ends is what
// its users see.
const asProgram = "APIGATEWAY_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		os.Exit(0)
	}
	redistest.Main(m)
}

// program returns a command that runs the program, and is killed if it takes too
// long.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

func TestDemo(t *testing.T) {
	for name, args := range map[string]func(t *testing.T) []string{
		// Nothing to install: what the README tells people to try first.
		"embedded": func(*testing.T) []string { return nil },
		"redis":    func(t *testing.T) []string { return []string{"-redis", redistest.Server(t).URL()} },
	} {
		t.Run(name, func(t *testing.T) {
			flags := args(t)
			begin := time.Now()
			out, err := program(t, flags...).Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			checkDemo(t, string(out))
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func checkDemo(t *testing.T, out string) {
	t.Helper()
	_, rest, ok := strings.Cut(out, "Order creation response:\n")
	if !ok {
		t.Fatalf("no heading:\n%s", out)
	}
	created, rest, ok := strings.Cut(rest, "Order status response:\n")
	if !ok {
		t.Fatalf("no second heading:\n%s", out)
	}
	var order Order
	if err := json.Unmarshal([]byte(created), &order); err != nil {
		t.Fatalf("%v:\n%s", err, created)
	}
	if order.Total != 11237 || !strings.Contains(created, "112.37") || order.Status != "confirmed" || len(order.Items) != 2 || order.OrderID == "" {
		t.Errorf("the order:\n%s", created)
	}
	var status OrderStatus
	if err := json.NewDecoder(strings.NewReader(rest)).Decode(&status); err != nil {
		t.Fatalf("%v:\n%s", err, rest)
	}
	if status != (OrderStatus{order.OrderID, "confirmed", 11237}) {
		t.Errorf("the status: %+v", status)
	}
	for _, line := range []string{"404 Not Found", "504 Gateway Timeout"} {
		if !strings.Contains(rest, line) {
			t.Errorf("no %s:\n%s", line, rest)
		}
	}
}

// listening starts the program, waits until it serves and returns its base URL.
// End asks it to end, waits for that and returns its exit status.
func listening(t *testing.T, url string) (base string, end func() int) {
	t.Helper()
	cmd := program(t, "-listen", "127.0.0.1:0", "-redis", url)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	end = func() int {
		once.Do(func() {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_, _ = io.Copy(io.Discard, stdout)
			_ = cmd.Wait()
			if t.Failed() {
				t.Log(stderr.String())
			}
		})
		return cmd.ProcessState.ExitCode()
	}
	t.Cleanup(func() { end() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	base, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		end()
		t.Fatalf("it printed %q, %v\n%s", line, err, stderr.String())
	}
	return base, end
}

// call returns the status of a response, and its body, decoded.
func call(t *testing.T, method, url, body string) (int, map[string]any, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var v map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		t.Fatalf("%s %s: %d: %v", method, url, resp.StatusCode, err)
	}
	return resp.StatusCode, v, resp.Header
}

const valid = `{"user_id":"u","shipping_address":"a","items":[{"product_id":"p","quantity":3,"price":0.10},{"product_id":"q","quantity":1,"price":12}]}`

func TestListen(t *testing.T) {
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		base, end := listening(t, url)
		code, order, _ := call(t, "POST", base+"/orders/create", valid)
		id, _ := order["order_id"].(string)
		if code != 201 || id == "" || order["total"] != 12.3 {
			t.Fatalf("create: %d %v", code, order)
		}
		if code, status, _ := call(t, "GET", base+"/orders/status?order_id="+id, ""); code != 200 || status["status"] != "confirmed" || status["total"] != 12.3 {
			t.Errorf("status: %d %v", code, status)
		}
		if code, again, _ := call(t, "GET", base+"/orders/"+id, ""); code != 200 || again["shipping_address"] != "a" {
			t.Errorf("get: %d %v", code, again)
		}

		for _, tt := range []struct {
			method, path, body string
			code               int
			fields             string
		}{
			{"POST", "/orders/create", `{}`, 422, "items shipping_address user_id"},
			{"POST", "/orders/create", strings.Replace(valid, `"quantity":3`, `"quantity":0`, 1), 422, "items[0].quantity"},
			{"POST", "/orders/create", strings.Replace(valid, `"price":12`, `"price":-1`, 1), 422, "items[1].price"},
			{"POST", "/orders/create", strings.Replace(valid, `"price":12`, `"price":1.999`, 1), 422, "body"},
			{"POST", "/orders/create", `{`, 400, ""},
			{"GET", "/orders/status", "", 422, "order_id"},
			{"GET", "/orders/status?order_id=none", "", 404, ""},
			{"GET", "/invoices", "", 404, ""},
			{"DELETE", "/orders/" + id, "", 405, ""},
		} {
			code, problem, header := call(t, tt.method, base+tt.path, tt.body)
			if code != tt.code || fieldsOf(problem) != tt.fields {
				t.Errorf("%s %s: %d %v, want %d %s", tt.method, tt.path, code, problem, tt.code, tt.fields)
			}
			if header.Get("Content-Type") != "application/problem+json" || problem["request_id"] != header.Get("X-Request-Id") {
				t.Errorf("%s %s: %v %v", tt.method, tt.path, header, problem)
			}
			if tt.code == 405 && header.Get("Allow") != "GET, HEAD" {
				t.Errorf("Allow: %q", header.Get("Allow"))
			}
		}
		if code := end(); code != 0 {
			t.Errorf("after SIGTERM it ended with %d", code)
		}
	})
}

// fieldsOf is the names of the fields that a problem complains of.
func fieldsOf(problem map[string]any) string {
	fields, _ := problem["fields"].([]any)
	var names []string
	for _, f := range fields {
		names = append(names, fmt.Sprint(f.(map[string]any)["field"]))
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// A deployment must not be seen from outside: what was accepted is answered.
func TestRequestsUnderWayAreAnsweredAtSIGTERM(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		base, end := listening(t, url)
		const clients = 16
		var wg sync.WaitGroup
		busy := make(chan bool, clients)
		for range clients {
			wg.Go(func() {
				atWork := sync.OnceFunc(func() { busy <- true })
				defer atWork()
				tr := &http.Transport{}
				defer tr.CloseIdleConnections()
				c := &http.Client{Transport: tr}
				for n := 0; ; n++ {
					resp, err := c.Post(base+"/orders/create", "application/json", strings.NewReader(valid))
					if n == 5 {
						atWork()
					}
					if err != nil {
						return // not accepted any more
					}
					_, err = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
					if resp.StatusCode != 201 || err != nil {
						t.Errorf("request %d: %s, %v", n, resp.Status, err)
						return
					}
				}
			})
		}
		for range clients {
			<-busy
		}
		begin := time.Now()
		code := end()
		wg.Wait()
		if took := time.Since(begin); code != 0 || took > 4*time.Second {
			t.Errorf("it ended with %d after %v", code, took)
		}
	})
}

func TestRunFailsWithAReason(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		for name, tt := range map[string]struct {
			args []string
			want string
		}{
			"no such address": {[]string{"-listen", "127.0.0.1:99999", "-redis", url}, "99999"},
			"no such scheme":  {[]string{"-redis", "http://localhost"}, "redis URL"},
		} {
			var stderr bytes.Buffer
			cmd := program(t, tt.args...)
			cmd.Stderr = &stderr
			if err := cmd.Run(); cmd.ProcessState.ExitCode() != 1 || !strings.Contains(stderr.String(), "apigateway: ") || !strings.Contains(stderr.String(), tt.want) {
				t.Errorf("%s: %v: %s", name, err, stderr.String())
			}
		}
	})
}
