package config

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
)

// Warnings are what is allowed and hardly meant, one sentence each. A service
// logs them when it starts.
func (c Ingest) Warnings() []string {
	return append(c.Store.warnings(), c.Listeners.warnings(c.API.mayBeOpen())...)
}

// Warnings is as of [Ingest.Warnings].
func (c Dispatcher) Warnings() []string {
	all := slices.Concat(c.Store.warnings(), c.Metrics.warnings(), c.Listeners.warnings(c.Metrics.Listen != ""))
	if c.Roles.Has(RoleDeliver) {
		all = append(all, c.FCM.warnings()...)
	}
	return all
}

// Warnings is as of [Ingest.Warnings].
func (c Replayer) Warnings() []string {
	return slices.Concat(c.Store.warnings(), c.Metrics.warnings(), c.Listeners.warnings(c.Metrics.Listen != ""))
}

// Warnings is as of [Ingest.Warnings].
func (c Up) Warnings() []string {
	all := append(c.Store.warnings(), c.Listeners.warnings(c.API.mayBeOpen() || c.Sandbox)...)
	if c.Sandbox {
		return append(all, c.Simulator.warnings()...)
	}
	return append(all, c.FCM.warnings()...)
}

// Warnings is as of [Ingest.Warnings].
func (c Sim) Warnings() []string {
	return append(c.Simulator.warnings(), c.Listeners.warnings(true)...)
}

// Warnings is as of [Ingest.Warnings]; the doctor looks at the data directory
// itself.
func (c Doctor) Warnings() []string { return c.FCM.warnings() }

// The permission bits that are too many.
const (
	othersRead  = 0o004
	othersWrite = 0o022 // the group's too: who may write a key file is whoever sends
	othersAny   = 0o007
)

func (s Store) warnings() []string {
	if s.Backend != BackendEmbedded {
		return nil
	}
	var all []string
	if mode, ok := modeOf(s.Data); ok && mode&othersAny != 0 {
		all = append(all,
			fmt.Sprintf("the data directory %s is open to every user of this machine (mode %#o): it holds tokens and messages; chmod 0700", s.Data,
				mode))
	}
	for _, name := range []string{"queue.db", "store.db", "pages.db"} {
		file := filepath.Join(s.Data, name)
		if mode, ok := modeOf(file); ok && mode&othersAny != 0 {
			all = append(all,
				fmt.Sprintf("%s is open to every user of this machine (mode %#o): it holds tokens or messages; chmod 0600", file, mode))
		}
	}
	return all
}

func (c FCM) warnings() []string {
	if c.Credentials == "" || c.Credentials == ApplicationDefault {
		return nil
	}
	return secretFile("the FCM key file", c.Credentials)
}

func secretFile(what, name string) []string {
	mode, ok := modeOf(name)
	switch {
	case !ok:
	case mode&othersWrite != 0:
		return []string{fmt.Sprintf("%s %s can be changed by other users (mode %#o): chmod 0600", what, name, mode)}
	case mode&othersRead != 0:
		return []string{fmt.Sprintf("%s %s can be read by every user of this machine (mode %#o): chmod 0600", what, name, mode)}
	}
	return nil
}

func modeOf(name string) (fs.FileMode, bool) {
	info, err := os.Stat(name)
	if err != nil {
		return 0, false
	}
	return info.Mode().Perm(), true
}

func (m Metrics) warnings() []string {
	if m.Listen == "" || private(m.Listen) {
		return nil
	}
	return []string{
		fmt.Sprintf("health and metrics listen beyond the loopback interface (%s) and ask for no key: they tell of load and configuration; "+
			"keep them inside",
			m.Listen),
	}
}

func (s Simulator) warnings() []string {
	if private(s.Listen) {
		return nil
	}
	return []string{
		fmt.Sprintf("the FCM simulator listens beyond the loopback interface (%s) and asks for no key: whoever reaches it reads what it was "+
			"sent and drives it",
			s.Listen),
	}
}

// warnings are about listeners of which one asks for no key.
func (l Listeners) warnings(keyless bool) []string {
	if !keyless || !slices.Contains(l.AllowedHosts, "*") {
		return nil
	}
	return []string{envOf("allowed-hosts") +
		" lets every host name in, and not every listener asks for a key: a web page can give the server a name of its own and read everything"}
}

// private reports whether only this machine can reach a checked address.
func private(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && loopback(host)
}
