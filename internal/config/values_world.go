// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	"github.com/google/shlex"

	"einhyrningsins/internal/childenv"
)

// The bounds of niceness, setpriority(2).
const (
	leastNice = -20
	mostNice  = 19
)

// dirValue takes a directory and keeps the way to it: no symbolic link is
// followed here, because it may lead elsewhere by the time it is used.
func dirValue(p *string) value {
	return value{set: func(s string) error {
		path, err := absolute(s)
		if err != nil {
			return err
		}
		*p = path
		return nil
	}}
}

func envDirValue(p *[]EnvSource) value {
	return value{set: func(s string) error {
		path, err := absolute(s)
		if err != nil {
			return err
		}
		*p = append(*p, EnvSource{Path: path, Dir: true})
		return nil
	}}
}

// envFileValue takes a file; a dash before it says that it may be missing, as
// in systemd's EnvironmentFile.
func envFileValue(p *[]EnvSource) value {
	return value{set: func(s string) error {
		name, optional := strings.CutPrefix(s, "-")
		if strings.HasSuffix(name, "/") {
			return errors.New("a directory, not a file; --envdir reads one")
		}
		path, err := absolute(name)
		if err != nil {
			return err
		}
		*p = append(*p, EnvSource{Path: path, Optional: optional})
		return nil
	}}
}

// absolute puts the current directory before a relative path, and otherwise
// changes nothing that a symbolic link could give another meaning.
func absolute(s string) (string, error) {
	if s == "" || strings.IndexByte(s, 0) >= 0 {
		return "", errors.New("not a path")
	}
	path := s
	if !filepath.IsAbs(s) {
		dir, err := os.Getwd()
		if err != nil {
			return "", usageWrap(err, "cannot find the current directory: %v; write an absolute path", err)
		}
		path = dir + "/" + s
	}
	for _, part := range strings.Split(path, "/") {
		if part == ".." {
			return path, nil // x/.. is not where we are when x is a link
		}
	}
	return filepath.Clean(path), nil
}

// wordsValue splits a command line into words as a shell does.
func wordsValue(p *[]string) value {
	return value{set: func(s string) error {
		words, err := shlex.Split(s)
		switch {
		case strings.IndexByte(s, 0) >= 0:
			return errors.New("a command cannot hold a zero byte")
		case err != nil:
			return errors.New("a quotation mark or a backslash has no counterpart")
		case len(words) == 0 || words[0] == "":
			return errors.New("there is no command in it")
		}
		*p = words
		return nil
	}}
}

func dialectsValue(p *childenv.Dialects) value {
	return value{set: func(s string) error {
		dialects, err := childenv.ParseDialects(s)
		if err != nil {
			return err
		}
		*p = dialects
		return nil
	}}
}

// nameValue takes what ps can show.
func nameValue(p *string) value {
	return value{set: func(s string) error {
		if s == "" || strings.ContainsFunc(s, unicode.IsControl) {
			return errors.New("not a name that ps can show")
		}
		*p = s
		return nil
	}}
}

// niceValue takes MASTER[:WORKER[:RENICE_CMD]]; either number may be empty,
// which leaves that niceness as it is.
func niceValue(p *Nice) value {
	return value{set: func(s string) error {
		var nice Nice
		var err error
		fields := strings.SplitN(s, ":", 3)
		if nice.Master, err = niceness(fields[0]); err != nil {
			return err
		}
		if len(fields) > 1 {
			if nice.Worker, err = niceness(fields[1]); err != nil {
				return err
			}
		}
		if len(fields) > 2 {
			if strings.TrimSpace(fields[2]) == "" || strings.IndexByte(fields[2], 0) >= 0 {
				return errors.New("there is no command after the second colon")
			}
			nice.Renice = fields[2]
		}
		if nice.Master == nil && nice.Worker == nil {
			return errors.New("there is no niceness in it")
		}
		*p = nice
		return nil
	}}
}

func niceness(s string) (*int, error) {
	if s == "" {
		return nil, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < leastNice || n > mostNice {
		return nil, errors.New("niceness is a number from -20 to 19")
	}
	return &n, nil
}
