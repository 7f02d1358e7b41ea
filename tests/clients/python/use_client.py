"""Uses the generated client as another team's program would; ends with an error where it does not fit the API."""

import sys
import time
import uuid

from beckon_client import AuthenticatedClient
from beckon_client.api.batches import batches_show
from beckon_client.api.credentials import credentials_verify
from beckon_client.api.deliveries import deliveries_of_batch, deliveries_show
from beckon_client.api.sending import sending_invites
from beckon_client.api.users import users_list, users_show
from beckon_client.models import ImportView, Problem, SendRequest, VerifyRequest

EMAIL = "python@example.org"


def finished(client, batch):
    for _ in range(2400):
        shown = batches_show.sync(batch, client=client)
        if shown.finished_at:
            return shown
        time.sleep(0.05)
    raise TimeoutError(batch)


def main(base, key):
    client = AuthenticatedClient(base_url=base, token=key)
    # The generator's code for an operation that takes either of two kinds of body does not run, so the file is sent
    # over the client's own connection. The answer has its generated type.
    file = {"params": {"file_name": "people.csv"}, "content": f"email,first_name\n{EMAIL},Ada\n"}
    sent = client.get_httpx_client().post("/v1/imports", headers={"Content-Type": "text/csv"}, **file)
    imported = ImportView.from_dict(sent.raise_for_status().json())
    assert (imported.created, imported.problems) == (1, []), imported

    users = users_list.sync(client=client, import_=imported.id)
    user = users_show.sync(users.items[0].id, client=client)
    assert (user.email, user.first_name) == (EMAIL, "Ada"), user

    send = SendRequest(users=[user.id])
    once = {"client": client, "body": send, "idempotency_key": str(uuid.uuid4())}
    accepted = sending_invites.sync(**once)
    assert accepted.accepted == 1 and sending_invites.sync(**once).batch == accepted.batch, accepted
    batch = finished(client, accepted.batch)
    assert batch.counts.sent == 1, batch

    line = deliveries_of_batch.sync(accepted.batch, client=client).items[0]
    assert (line.state, line.attempt_count) == ("sent", 1), line
    story = deliveries_show.sync(line.id, client=client)
    assert [attempt.verdict for attempt in story.attempts] == ["accepted"], story

    wrong = credentials_verify.sync(client=client, body=VerifyRequest(email=EMAIL, password="wrong"))
    assert wrong.valid is False, wrong
    nobody = users_show.sync(uuid.UUID(int=0), client=client)
    assert isinstance(nobody, Problem) and nobody.status == 404, nobody


main(*sys.argv[1:])
print("Python: every answer fits its type")
