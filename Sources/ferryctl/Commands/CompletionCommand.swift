internal import ArgumentParser

struct CompletionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completion",
        abstract: "Print a script that lets a shell complete ferryctl's words.",
        discussion: """
            Names of devices, jobs, sessions and images are asked of the server.

              bash  source <(ferryctl completion bash)
              zsh   ferryctl completion zsh > "${fpath[1]}/_ferryctl"
              fish  ferryctl completion fish > ~/.config/fish/completions/ferryctl.fish
            """
    )

    @Argument(help: "bash, zsh or fish.", completion: .list(Shell.allCases.map(\.rawValue)))
    var shell: Shell

    enum Shell: String, CaseIterable, ExpressibleByArgument {
        case bash
        case zsh
        case fish
    }

    func run() {
        let script =
            switch shell {
            case .bash: Ferryctl.completionScript(for: .bash)
            case .zsh: Ferryctl.completionScript(for: .zsh)
            case .fish: Ferryctl.completionScript(for: .fish)
            }
        Terminal.standardOutput.write(script + "\n")
    }
}
