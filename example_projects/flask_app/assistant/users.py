"""Who is who: a login with a session for pages, a token for the users' own programs."""

from dataclasses import dataclass
from hmac import compare_digest

from flask import Blueprint, Request, g, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

pages = Blueprint("users", __name__)


@dataclass
class User:
    name: str
    is_active: bool = True

    def get_id(self) -> str:
        return self.name


# Stands for your table of users. Keep no passwords like this: it is for trying things out.
USERS = {"alice": User("alice")}
PASSWORDS = {"alice": "wonderland"}
TOKENS = {"token-of-alice": USERS["alice"]}


def by_token(request: Request) -> User | None:
    """Return whose token a call of the API brings, as a `request_loader` of Flask-Login does."""
    return TOKENS.get(request.headers.get("Authorization", "").removeprefix("Bearer "))


@pages.before_app_request
def by_session() -> None:
    g.user = USERS.get(session.get("user", ""))


@pages.route("/login", methods=["GET", "POST"])
def login() -> str | Response:
    name, password = request.form.get("name", ""), request.form.get("password", "")
    if name in USERS and compare_digest(PASSWORDS[name].encode(), password.encode()):
        session["user"] = name
        return redirect(url_for("chat.page"))
    return render_template("login.html")


@pages.post("/logout")
def logout() -> Response:
    session.clear()
    return redirect(url_for("users.login"))
