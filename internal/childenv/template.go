// SPDX-License-Identifier: MIT

package childenv

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Template is the arguments of a program, with placeholders:
// {fd:0} and {fd:web} for the number of a socket's descriptor, by its place
// or its name; {index} for the worker's; {generation} for its; {ready_fd} for the
// number in READY_FD, if there is one. In another pair of
// braces they stand for themselves, without that pair: {{index}} is {index}.
// Everything else is as it is, braces too.
type Template struct {
	plain []string // nothing in these depends on the worker
	parts [][]part // or: the same, in parts
}

// part is a text, and what comes behind it.
type part struct {
	text string
	then stands
}

const readyWord = "{ready_fd}"

type stands int

const (
	forNothing stands = iota
	forIndex
	forGeneration
)

// A SocketError is about a word that stands for a socket that is not there.
type SocketError struct {
	Word  string   // as {fd:9}
	In    string   // the argument
	Right []string // those that would be right; none: there is no socket
}

func (e *SocketError) Error() string {
	if len(e.Right) == 0 {
		return fmt.Sprintf("there is no socket %s, for there is none at all", e.Word)
	}
	return fmt.Sprintf("there is no socket %s, but %s", e.Word, strings.Join(e.Right, ", "))
}

// ParseTemplate reads a program's name and arguments, of which that many at first
// are what they are. names are those of the sockets, "" for one that has none;
// ready is the number in READY_FD, 0 if there is none. An
// error is a [SocketError].
func ParseTemplate(words []string, fixed int, names []string, ready int) (Template, error) {
	w := Template{plain: make([]string, len(words))}
	depends := false
	for i, word := range words {
		parts := []part{{text: word}}
		if i >= fixed {
			var wrong *SocketError
			if parts, wrong = parseWord(word, names, ready); wrong != nil {
				wrong.In = word
				return Template{}, wrong
			}
		}
		w.parts = append(w.parts, parts)
		w.plain[i] = parts[0].text
		depends = depends || len(parts) > 1 || parts[0].then != forNothing
	}
	if !depends {
		w.parts = nil
	}
	return w, nil
}

// NamesSocket tells whether {fd:…} stands for a socket in one of these words, whichever
// sockets there are.
func NamesSocket(words []string) bool {
	return slices.ContainsFunc(words, func(word string) bool {
		_, wrong := parseWord(word, nil, 0)
		return wrong != nil
	})
}

// For returns the arguments of one worker. The caller must not change them.
func (w Template) For(index, generation int) []string {
	if w.parts == nil {
		return w.plain
	}
	words := make([]string, len(w.parts))
	for i, parts := range w.parts {
		var b strings.Builder
		for _, p := range parts {
			b.WriteString(p.text)
			switch p.then {
			case forIndex:
				b.WriteString(strconv.Itoa(index))
			case forGeneration:
				b.WriteString(strconv.Itoa(generation))
			}
		}
		words[i] = b.String()
	}
	return words
}

// parseWord returns at least one part; nothing comes behind the last one, unless
// the word ends there.
func parseWord(word string, names []string, ready int) (parts []part, wrong *SocketError) {
	var text strings.Builder
	for word != "" {
		brace := strings.IndexByte(word, '{')
		if brace < 0 {
			text.WriteString(word)
			break
		}
		text.WriteString(word[:brace])
		word = word[brace:]
		if inner := braced(word[1:]); inner != "" && strings.HasPrefix(word[1+len(inner):], "}") {
			text.WriteString(inner)
			word = word[len(inner)+2:]
			continue
		}
		special := braced(word)
		switch special {
		case "":
			text.WriteByte('{')
			word = word[1:]
			continue
		case "{index}", "{generation}":
			then := forIndex
			if special == "{generation}" {
				then = forGeneration
			}
			parts = append(parts, part{text.String(), then})
			text.Reset()
		case readyWord:
			if ready > 0 {
				text.WriteString(strconv.Itoa(ready))
			} else {
				text.WriteString(readyWord)
			}
		default:
			fd, wrong := socketOf(special, names)
			if wrong != nil {
				return nil, wrong
			}
			text.WriteString(strconv.Itoa(fd))
		}
		word = word[len(special):]
	}
	if text.Len() > 0 || len(parts) == 0 {
		parts = append(parts, part{text.String(), forNothing})
	}
	return parts, nil
}

// braced returns the special word that s begins with, or "".
func braced(s string) string {
	end := strings.IndexByte(s, '}')
	if end < 0 {
		return ""
	}
	switch s = s[:end+1]; {
	case s == "{index}", s == "{generation}", s == readyWord:
		return s
	case strings.HasPrefix(s, "{fd:") && isName(s[len("{fd:"):end]):
		return s
	}
	return ""
}

// isName tells what a socket could be called: printable, and without what ends
// or parts names.
func isName(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' || c == '{' || c == ':' {
			return false
		}
	}
	return s != ""
}

func socketOf(word string, names []string) (fd int, wrong *SocketError) {
	name := word[len("{fd:") : len(word)-1]
	if i := slices.Index(names, name); i >= 0 {
		return FirstFD + i, nil
	}
	if i, err := strconv.ParseUint(name, 10, 16); err == nil && int(i) < len(names) && strconv.Itoa(int(i)) == name {
		return FirstFD + int(i), nil
	}
	wrong = &SocketError{Word: word}
	for i, name := range names {
		if name == "" || slices.Index(names, name) < i {
			name = strconv.Itoa(i)
		}
		wrong.Right = append(wrong.Right, "{fd:"+name+"}")
	}
	return 0, wrong
}
