class Lockkeeper < Formula
  desc "Terminal dashboard for fleets of coding agents that share locks and work"
  homepage "@repository@"
  version "@version@"
  license any_of: ["MIT", "Apache-2.0"]

  on_linux do
    on_intel do
      url "@repository@/releases/download/v@version@/lockkeeper-@version@-x86_64-unknown-linux-musl.tgz"
      sha256 "@x86_64@"
    end
    on_arm do
      url "@repository@/releases/download/v@version@/lockkeeper-@version@-aarch64-unknown-linux-musl.tgz"
      sha256 "@aarch64@"
    end
  end

  on_macos do
    url "@repository@.git", tag: "v@version@"
    depends_on "rust" => :build
  end

  def install
    if OS.mac?
      system "cargo", "install", *std_cargo_args
      generate_completions_from_executable(bin/"lockkeeper", "completions")
      (man1/"lockkeeper.1").dirname.mkpath
      system bin/"lockkeeper", "man", "--dir", man1
    else
      bin.install "lockkeeper"
      man1.install Dir["man/*.1"]
      bash_completion.install "lockkeeper.bash" => "lockkeeper"
      zsh_completion.install "_lockkeeper"
      fish_completion.install "lockkeeper.fish"
    end
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/lockkeeper --version")
  end
end
