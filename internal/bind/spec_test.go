// SPDX-License-Identifier: GPL-3.0-or-later

package bind

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
)

var addressForms = map[string]Spec{
	"127.0.0.1:80":               {Host: "127.0.0.1", Port: 80},
	"127.0.0.1:1234,r,n":         {Host: "127.0.0.1", Port: 1234, ReuseAddr: true, NonBlock: true},
	"127.0.0.1:1234,n,r":         {Host: "127.0.0.1", Port: 1234, ReuseAddr: true, NonBlock: true},
	"0.0.0.0:80,so_reuseaddr":    {Host: "0.0.0.0", Port: 80, ReuseAddr: true},
	"0.0.0.0:80,o_nonblock":      {Host: "0.0.0.0", Port: 80, NonBlock: true},
	"[::1]:80":                   {Host: "::1", Port: 80},
	"[0:0:0:0:0:0:0:1]:80":       {Host: "::1", Port: 80},
	"[::]:80,r":                  {Host: "::", Port: 80, ReuseAddr: true},
	"[fe80::1%eth0]:80":          {Host: "fe80::1%eth0", Port: 80},
	":80":                        {Port: 80},
	"*:80":                       {Port: 80},
	":0":                         {},
	":65535":                     {Port: 65535},
	"localhost:8080":             {Host: "localhost", Port: 8080},
	"www-1.example.com.:443":     {Host: "www-1.example.com.", Port: 443},
	"_sip.xn--bcher-kva.de:5060": {Host: "_sip.xn--bcher-kva.de", Port: 5060},
	"4u:1":                       {Host: "4u", Port: 1},
	"tcp:1":                      {Host: "tcp", Port: 1},
}

func TestParseSpec(t *testing.T) {
	forms := maps.Clone(addressForms)
	maps.Copy(forms, kindForms)
	for in, want := range forms {
		got, err := ParseSpec(in)
		if err != nil || got != want {
			t.Errorf("ParseSpec(%q) = %+v, %v; want %+v", in, got, err, want)
		}
	}
}

var wrongForms = map[string]string{
	"":                               `address "" has no port`,
	"80":                             `"80" is a port without an address`,
	"localhost":                      `address "localhost" has no port`,
	"127.0.0.1":                      `address "127.0.0.1" has no port`,
	"127.0.0.1:":                     `port ""`,
	"127.0.0.1:http":                 `port "http"`,
	"127.0.0.1:-1":                   `port "-1"`,
	"127.0.0.1:+1":                   `port "+1"`,
	"127.0.0.1:65536":                `port "65536"`,
	"127.0.0.1:000080":               `port "000080"`,
	"127.0.0.1: 80":                  `port " 80"`,
	"127.0.0.1:80,":                  `option ""`,
	"127.0.0.1:80,x":                 `option "x"`,
	"127.0.0.1:80,r,,n":              `option ""`,
	"127.0.0.1:80,R":                 `option "R"`,
	"::1:80":                         `address "::1:80" has several colons`,
	"[::1:80":                        `address "[::1:80" lacks its closing bracket`,
	"[::1]":                          `address "[::1]" has no port`,
	"[::1]80":                        `address "[::1]80" has no port`,
	"[]:80":                          `address "" in brackets is not an IPv6 address`,
	"[127.0.0.1]:80":                 `address "127.0.0.1" in brackets`,
	"[::ffff:10.0.0.1]:80":           `"::ffff:10.0.0.1" is an IPv4 address written as IPv6`,
	"[fe80::1%]:80":                  `address "fe80::1%"`,
	"[fe80::1%a b]:80":               `address "fe80::1%a b"`,
	"300.1.1.1:80":                   `address "300.1.1.1" is not an IPv4 address`,
	"127.1:80":                       `address "127.1" is not an IPv4 address`,
	"127.0.0.01:80":                  `address "127.0.0.01" is not an IPv4 address`,
	"1.2.3.4.:80":                    `address "1.2.3.4." is not an IPv4 address`,
	".:80":                           `address "." is not`,
	"-x:80":                          `address "-x" is neither`,
	"a..b:80":                        `address "a..b" is neither`,
	"a b:80":                         `address "a b" is neither`,
	"bücher.de:80":                   `address "bücher.de" is neither`,
	"http://x:80":                    `"http://x:80" is a URL, not an address; write it as in 127.0.0.1:8080`,
	"tcp://0.0.0.0:80":               `begins with tcp:, which goes without saying; write it as in 0.0.0.0:80`,
	"tcp:[::1]:80":                   `write it as in [::1]:80`,
	"/run/web.sock":                  `"/run/web.sock" is a path or an abstract name, not an address; write it as in unix:/run/web.sock`,
	"./web.sock":                     `write it as in unix:./web.sock`,
	"../web.sock:1":                  `write it as in unix:../web.sock`,
	"udp://127.0.0.1:53":             `UDP address "//127.0.0.1:53" begins with a slash; write it as in udp:127.0.0.1:5353`,
	"@web":                           `write it as in unix:@web`,
	strings.Repeat("a", 254) + ":80": `name of 254 bytes`,
}

// TestParseSpecErrors checks that an error names the part that is wrong and
// shows a form that is right: the words after "as in" must parse.
func TestParseSpecErrors(t *testing.T) {
	wrong := maps.Clone(wrongForms)
	maps.Copy(wrong, wrongKinds)
	for in, part := range wrong {
		got, err := ParseSpec(in)
		if err == nil || !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), part) {
			t.Errorf("ParseSpec(%q) = %v, %v; want a usage error with %q", in, got, err, part)
			continue
		}
		_, shown, ok := strings.Cut(err.Error(), "write it as in ")
		if !ok {
			t.Errorf("ParseSpec(%q): error shows no right form: %v", in, err)
			continue
		}
		shown, _, _ = strings.Cut(shown, " ")
		shown, _, _ = strings.Cut(shown, "; ")
		if _, err := ParseSpec(strings.TrimSuffix(shown, ",")); err != nil {
			t.Errorf("ParseSpec(%q) shows %q, which is wrong itself: %v", in, shown, err)
		}
	}
}

func TestCheckFamily(t *testing.T) {
	for _, c := range []struct {
		spec   string
		family Family
		ok     bool
	}{
		{"127.0.0.1:80", AnyFamily, true},
		{"127.0.0.1:80", IPv4Only, true},
		{"127.0.0.1:80", IPv6Only, false},
		{"[::1]:80", AnyFamily, true},
		{"[::1]:80", IPv4Only, false},
		{"[::1]:80", IPv6Only, true},
		{"[::]:80", IPv4Only, false},
		{"0.0.0.0:80", IPv6Only, false},
		{":80", IPv4Only, true},
		{":80", IPv6Only, true},
		{"localhost:80", IPv6Only, true},
	} {
		spec, err := ParseSpec(c.spec)
		if err != nil {
			t.Fatal(err)
		}
		err = spec.CheckFamily(c.family)
		if (err == nil) != c.ok || (err != nil && !errors.Is(err, ErrUsage)) {
			t.Errorf("%s with %s only: %v; want ok %v", c.spec, c.family, err, c.ok)
		}
	}
}

func FuzzParseSpec(f *testing.F) {
	for _, s := range []string{
		":80", "*:80", "127.0.0.1:80,r,n", "[::1]:0,o_nonblock", "[fe80::1%eth0]:65535,so_reuseaddr",
		"udp:[::1]:53,v6only,reuseport,name=dns", "udp::0,r", "unix:/run/a.sock,mode=0660,user=www,group=33,backlog=9", "unix:@a b,n",
		"fd:3,name=a,defer", ":1,defer=7", ":1,defer=015", "systemd", "systemd:a b,n", ":1,backlog=010", "unix:a,mode=7", "udp:53", "fd.:3", "unix:/\xff",
		"localhost:8080", "[::ffff:1.2.3.4]:1", "::1:80", "a..b:1", "[fe80::%/]:1", "1.2.3:4", "x:1,r,r",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		spec, err := ParseSpec(in)
		if err != nil {
			if !errors.Is(err, ErrUsage) {
				t.Fatalf("ParseSpec(%q): not a usage error: %v", in, err)
			}
			if spec != (Spec{}) {
				t.Fatalf("ParseSpec(%q) = %+v beside an error", in, spec)
			}
			return
		}
		if again, err := ParseSpec(spec.String()); err != nil || again != spec {
			t.Fatalf("%q → %+v → %q → %+v, %v", in, spec, spec.String(), again, err)
		}
		b, err := json.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		var back Spec
		if err := json.Unmarshal(b, &back); err != nil || back != spec {
			t.Fatalf("%+v became %+v through JSON (%s), %v", spec, back, b, err)
		}
	})
}
