package scenario

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// alarm is a timer of the kernel's. A goroutine waits for it as for a connection.
type alarm struct {
	fd   int
	file *os.File
	once unix.ItimerSpec
	buf  [8]byte
}

func newAlarm() (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	return &alarm{fd: fd, file: os.NewFile(uintptr(fd), "timer")}, nil
}

func (a *alarm) wait(d time.Duration) error {
	a.once.Value = unix.NsecToTimespec(d.Nanoseconds())
	if err := unix.TimerfdSettime(a.fd, 0, &a.once, nil); err != nil {
		return os.NewSyscallError("timerfd_settime", err)
	}
	_, err := a.file.Read(a.buf[:])
	return err
}

func (a *alarm) close() error { return a.file.Close() }
