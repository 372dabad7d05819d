package testkit

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// orphanEnv is set where a test runs a second time, to be killed.
const orphanEnv = "LEANMQ_TESTKIT_ORPHAN"

// DiesWithTheTest runs the test that calls it a second time, in a process of its own
// with these variables, where start starts a server. It kills that process and waits
// until nobody answers at the server's address, which it returns.
func DiesWithTheTest(t *testing.T, network string, start func() (addr string), env ...string) string {
	t.Helper()
	const mark = "addr "
	if os.Getenv(orphanEnv) != "" {
		fmt.Println(mark + start())
		select {}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(append(os.Environ(), orphanEnv+"=1"), env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	addr := ""
	for lines := bufio.NewScanner(out); addr == "" && lines.Scan(); {
		if a, ok := strings.CutPrefix(lines.Text(), mark); ok {
			addr = a
		}
	}
	if addr == "" {
		t.Fatal("the second process started no server")
	}
	conn, err := net.Dial(network, addr)
	if err != nil {
		t.Error(err)
	} else {
		defer conn.Close()
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
	Eventually(t, "the server has ended with the test binary", func() bool {
		conn, err := net.Dial(network, addr)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	return addr
}
