# Homebrew's formula of Belfry. packaging/release fills in the version and the checksums.
class Belfry < Formula
  desc "Push notifications through FCM, with an outcome for every delivery"
  homepage "https://github.com/belfry-push/belfry"
  version "{{.Version}}"
  license "Apache-2.0"
{{range $os := list "macos:darwin" "linux:linux"}}{{$brew := index (pair $os) 0}}{{$system := index (pair $os) 1}}
  on_{{$brew}} do
{{- range $cpu := list "arm:arm64" "intel:amd64"}}{{$arch := index (pair $cpu) 1}}{{$platform := printf "%s_%s" $system $arch}}{{if has $platform}}
    on_{{index (pair $cpu) 0}} do
      url "https://github.com/belfry-push/belfry/releases/download/{{$.Tag}}/belfry_{{$.Version}}_{{$platform}}.tar.gz"
      sha256 "{{sum $platform}}"
    end
{{- end}}{{end}}
  end
{{end}}
  def install
    bin.install Dir["bin/*"]
    man1.install Dir["share/man/man1/*"]
    man8.install Dir["share/man/man8/*"]
    bash_completion.install Dir["share/bash-completion/completions/*"]
    zsh_completion.install Dir["share/zsh/vendor-completions/*"]
    fish_completion.install Dir["share/fish/vendor_completions.d/*"]
  end

  service do
    run [opt_bin/"belfry", "up", "--data", var/"belfry"]
    keep_alive true
    log_path var/"log/belfry.log"
    error_log_path var/"log/belfry.log"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/belfry --version")
  end
end
