{
  description = "The operator's terminal for a mesh of coding agents";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ];
      each = f: nixpkgs.lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});
    in
    {
      packages = each (pkgs: {
        default = pkgs.rustPlatform.buildRustPackage {
          pname = "lockkeeper";
          version = (builtins.fromTOML (builtins.readFile ./Cargo.toml)).package.version;
          src = self;
          cargoLock.lockFile = ./Cargo.lock;
          nativeBuildInputs = [ pkgs.installShellFiles ];
          LOCKKEEPER_COMMIT = self.shortRev or "uncommitted";
          # They read the sources, open terminals and listen on the loopback; `cargo test` runs them.
          doCheck = false;
          postInstall = ''
            $out/bin/lockkeeper man --dir .
            installManPage *.1
            installShellCompletion --cmd lockkeeper \
              --bash <($out/bin/lockkeeper completions bash) \
              --zsh <($out/bin/lockkeeper completions zsh) \
              --fish <($out/bin/lockkeeper completions fish)
          '';
          meta = {
            description = "The operator's terminal for a mesh of coding agents";
            license = with pkgs.lib.licenses; [ mit asl20 ];
            mainProgram = "lockkeeper";
          };
        };
      });
      devShells = each (pkgs: {
        default = pkgs.mkShell { packages = with pkgs; [ cargo rustc clippy rustfmt just mdbook ]; };
      });
    };
}
