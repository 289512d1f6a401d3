// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"fmt"
	"strconv"
	"syscall"

	"einhyrningsins/internal/bind"
)

// ErrUsage is matched (errors.Is) by every error that lies in the command line.
// It is the same as [bind.ErrUsage], so that one test finds both.
var ErrUsage = bind.ErrUsage

// What [Parse] returns when there is nothing to run; the caller prints.
var (
	ErrHelp    = errors.New("help was asked for")
	ErrVersion = errors.New("the version was asked for")
	ErrChecked = errors.New("only a check was asked for, and all is well")
)

// usageError matches ErrUsage without showing its text.
type usageError struct {
	msg   string
	cause error // or nil
}

func (e *usageError) Error() string        { return e.msg }
func (e *usageError) Unwrap() error        { return e.cause }
func (e *usageError) Is(target error) bool { return target == ErrUsage }

func usagef(format string, args ...any) error {
	return &usageError{msg: fmt.Sprintf(format, args...)}
}

func usageWrap(cause error, format string, args ...any) error {
	return &usageError{msg: fmt.Sprintf(format, args...), cause: cause}
}

// errnoOf returns the system's own error, EIO where there is none.
func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return syscall.EIO
}

// show quotes what could upset a terminal or break the line.
func show(s string) string {
	if s == "" || strconv.Quote(s) != `"`+s+`"` {
		return strconv.Quote(s)
	}
	return s
}
