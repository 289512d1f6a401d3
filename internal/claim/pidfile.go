// SPDX-License-Identifier: GPL-3.0-or-later

package claim

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// WritePIDFile puts our pid into path, whole or not at all, and replaces what
// it finds there (a symbolic link itself, never what it points to).
func WritePIDFile(path string) error {
	fail := func(err error) error {
		return fmt.Errorf("cannot write pid file %s: %w", path, RootCause(err))
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fail(err)
	}
	tmp := f.Name()
	_, err = fmt.Fprintf(f, "%d\n", os.Getpid())
	if err == nil {
		err = f.Chmod(0o644)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		_ = os.Remove(tmp)
		return fail(err)
	}
	return nil
}

// RemovePIDFile removes path while it holds our pid.
func RemovePIDFile(path string) {
	b, err := os.ReadFile(path)
	if err == nil && strings.TrimSpace(string(b)) == strconv.Itoa(os.Getpid()) {
		_ = os.Remove(path)
	}
}
