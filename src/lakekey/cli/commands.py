"""The commands: what each does in a line, the heading that it stands under, and its examples."""

from collections.abc import Callable
from typing import NamedTuple

from lakekey.cli import options, profile_options, web_options
from lakekey.cli.parser import Parser

SIGN_IN, USE, CONFIGURE, OTHERS, TRY = "Sign in", "Use a session", "Configure and check", "Other programs", "Try it"


class Command(NamedTuple):
    """A command.

    Attributes:
        run: Its function, as ``module:function`` below `lakekey.cli`.
        summary: What it does, in a line.
        group: The heading that it stands under in the help; empty for what only programs call.
        options: Adds its options.
        examples: Command lines, each with what it is for.
    """

    run: str
    summary: str
    group: str
    options: Callable[[Parser], object] = lambda _: None
    examples: tuple[tuple[str, str], ...] = ()


COMMANDS: dict[str, Command] = {
    "overview": Command("overview:overview", "show where you stand, and the next command", ""),
    "login": Command(
        "login:login",
        "sign in, and keep the session for every program of this machine",
        SIGN_IN,
        options.login,
        (
            ("lakekey login", "asks for what it does not know"),
            ("lakekey login prod --host https://…", "writes the profile prod, and signs in"),
            ("lakekey login prod --if-needed", "for scripts"),
        ),
    ),
    "logout": Command(
        "logout:logout",
        "forget a session, for every process, and revoke it at the server",
        SIGN_IN,
        options.logout,
        (
            ("lakekey logout prod", ""),
            ("lakekey logout 3f2a81c09b4d", "the entry that lakekey status shows"),
            ("lakekey logout --all --forget-key", "leave nothing behind"),
        ),
    ),
    "status": Command(
        "status:status",
        "show who is signed in where, until when, and where it is kept",
        SIGN_IN,
        options.status,
        (("lakekey status", "all sessions"), ("lakekey status prod", "one; exit status 3 where it needs a login")),
    ),
    "whoami": Command(
        "whoami:whoami",
        "show who you act as, where, and until when",
        SIGN_IN,
        options.session,
        (("lakekey whoami", ""), ("lakekey whoami nightly", "exit status 3 where it needs a login")),
    ),
    "token": Command(
        "token:token",
        "print an access token, renewed where needed",
        USE,
        options.session,
        (('curl -H "Authorization: Bearer $(lakekey token prod)" https://…', ""),),
    ),
    "sql": Command(
        "sql:sql",
        "run one SQL statement on the profile's warehouse",
        USE,
        options.sql,
        (('lakekey sql "select 1"', "proves the whole chain"), ("lakekey sql - -p prod < query.sql", "")),
    ),
    "api": Command(
        "api:api",
        "send one request to the workspace's REST API",
        USE,
        options.api,
        (
            ("lakekey api get /api/2.0/sql/warehouses", ""),
            ("lakekey api post /api/2.1/jobs/run-now --data @job.json", ""),
        ),
    ),
    "run": Command(
        "lend:run",
        "run a command with a session, for as long as it runs",
        USE,
        options.run,
        (("lakekey run prod -- terraform plan", "the SDKs inside get tokens from a service on loopback"),),
    ),
    "env": Command(
        "lend:env",
        "print the variables with which other tools use a session",
        USE,
        options.env,
        (('eval "$(lakekey env prod)"', "no secret is in them"),),
    ),
    "profiles": Command(
        "profiles:profiles",
        "list the profiles, or change them",
        CONFIGURE,
        profile_options.profiles,
        (("lakekey profiles", "all, and what each means"), ("lakekey profiles set-default prod", "")),
    ),
    "secret": Command(
        "secret:secret",
        "keep the secret of an app or service principal sealed in the cache",
        CONFIGURE,
        options.secret,
        (("lakekey secret set nightly --check", "asks for it without echo, and tries it"),),
    ),
    "doctor": Command(
        "doctor.command:doctor",
        "check the whole chain behind a profile, and name the next step",
        CONFIGURE,
        options.doctor,
        (("lakekey doctor prod --connect", "up to a query on the warehouse"),),
    ),
    "keys": Command(
        "keys:keys",
        "show the key that seals the cache, or rotate it",
        CONFIGURE,
        options.keys,
        (("lakekey keys rotate --to keyring", "move the key to the OS keyring"),),
    ),
    "store": Command(
        "store:store",
        "set up, check or fill a store that several hosts share",
        CONFIGURE,
        options.store,
        (
            ("lakekey store init --sql", "the one table, for an administrator"),
            ("lakekey store copy file: postgresql://worker@db.example.com/lakekey", "move this machine's sessions"),
        ),
    ),
    "import": Command(
        "importing.command:imports",
        "import sessions that other tools keep in plain text",
        CONFIGURE,
        options.import_,
        (("lakekey import --delete", "and delete the plain text"),),
    ),
    "serve": Command(
        "serving.command:serve",
        "serve tokens to the Databricks SDKs of every language",
        OTHERS,
        options.serve,
        (("lakekey serve prod", "prints the two variables that they need"),),
    ),
    "keep-alive": Command(
        "keep_alive:keep",
        "renew sessions that would expire unused, and report which end when",
        OTHERS,
        options.keep_alive,
        (("lakekey keep-alive --once --json", "one round, for cron or a timer"),),
    ),
    "web": Command(
        "web:web",
        "let the users of a service connect on a page of their own",
        OTHERS,
        web_options.web,
        (
            (
                "lakekey web prod --url https://… --user-header X-Forwarded-Email --trusted-peer 10.0.0.7",
                "behind a proxy that signs people in",
            ),
            ("lakekey web prod --url http://localhost:8030 --single-user you@example.com", "to look at it"),
            ("lakekey web check prod --schedules schedules.json", "what each schedule would act as"),
        ),
    ),
    "apps": Command(
        "apps:list_",
        "register the OAuth apps through which lakekey web signs people in",
        CONFIGURE,
        web_options.apps,
        (("lakekey apps", "all of them"), ("lakekey apps rotate-secret prod", "asks for it without echo")),
    ),
    "auth": Command(
        "",
        "answer the SDKs as the Databricks CLI does (DATABRICKS_CLI_PATH)",
        OTHERS,
        options.auth,
        (('export DATABRICKS_CLI_PATH="$(lakekey auth path)"', "for Terraform, and the SDKs of other languages"),),
    ),
    "sandbox": Command(
        "sandbox:sandbox",
        "run a local workspace to try things against",
        TRY,
        options.sandbox,
        (("lakekey sandbox", ""), ("lakekey sandbox -- pytest", "runs a command beside it, which alone is led there")),
    ),
    "demo": Command(
        "demo:demo",
        "see the main job, on a local workspace",
        TRY,
        options.demo,
        (("lakekey demo", ""), ("lakekey demo --web", "hosted sign-in, with two users")),
    ),
    "completion": Command(
        "completion:completion",
        "print the script that completes commands and profiles in a shell",
        CONFIGURE,
        options.completion,
        (('eval "$(lakekey completion bash)"', "in ~/.bashrc"),),
    ),
    "complete": Command("completion:complete", "answer a shell that completes a command line", "", options.complete),
    "version": Command(
        "version:version", "print the version", TRY, options.version, (("lakekey version --json", "with Python's"),)
    ),
    "help": Command("help:help_", "explain a command", TRY, options.help_, (("lakekey help login", ""),)),
}
