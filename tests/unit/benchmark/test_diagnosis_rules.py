"""Each rule of the diagnosis in both directions: figures that make it speak, and figures like them that do not."""

from dataclasses import replace

import pytest

from tests.support.made_figures import PRE, VISUAL, alone, changed, figures, machine, observed, use
from triptych_server.benchmark.diagnosis.rules import ALWAYS, WHEN_QUIET, findings


def rules(made):
    return [found.rule for found in findings(made)]


def sentence(made, rule):
    return next(found.sentence for found in findings(made) if found.rule == rule)


def test_nothing_is_said_where_every_step_reaches_what_it_could():
    assert rules(figures()) == []


def test_every_rule_is_named_once():
    names = [rule.__name__ for rule in (*ALWAYS, *WHEN_QUIET)]
    assert len(set(names)) == len(names) == 16


def test_other_processes():
    busy = changed(figures(), many=observed(40.0, machine=machine(others=0.3)))
    assert "30% of this machine" in sentence(busy, "other_processes")
    assert "other_processes" not in rules(changed(figures(), many=observed(40.0, machine=machine(others=0.05))))


def test_what_ran_beside_the_runtime_alone_counts_too():
    assert "other_processes" in rules(changed(figures(), visual={"full": alone(16, 44.0, others=0.5)}))


def test_speeds_are_not_compared_on_a_busy_machine():
    slow = {"backend": observed(20.0)}
    assert "backend_overhead" in rules(changed(figures(), visual=slow))
    busy = changed(figures(), visual=slow, many=observed(40.0, machine=machine(others=0.3)))
    assert rules(busy) == ["other_processes"]


def test_nor_are_threads_that_wait_for_others_processes():
    crowd = machine(waiting=9.0, others=0.5, cpu={VISUAL: 60.0, PRE: 5.0})
    assert rules(changed(figures(), many=observed(40.0, machine=crowd))) == ["other_processes"]


def test_client_bound():
    assert "0.95 of the one core" in sentence(changed(figures(), many=observed(40.0, client=0.95)), "client_bound")
    assert "client_bound" not in rules(changed(figures(), many=observed(40.0, client=0.5)))


def test_refused():
    assert "12%" in sentence(changed(figures(), many=replace(observed(40.0), refused=0.12)), "refused")
    assert "refused" not in rules(figures())


def small(batch, as_served, **settings):
    many = observed(40.0, models={VISUAL: use(batch), PRE: use(8.0)})
    return changed(figures(), many=many, visual={"as_served": as_served}, settings=settings)


def test_small_batches_that_cost_something():
    found = sentence(small(4.0, alone(4, 30.0, cpu=60.0), queue_delay_us=300), "small_batches")
    assert "4.0 rows at a time where 16 could be" in found
    assert "1.32 times" in found
    assert "max_queue_delay_microseconds (now 300) of a part of the 20 ms that a batch takes" in found


@pytest.mark.parametrize(
    ("batch", "as_served"),
    [(4.0, alone(4, 43.0, cpu=45.0)), (14.0, alone(14, 30.0, cpu=60.0))],
    ids=["which cost nothing", "which are nearly full"],
)
def test_batches_that_are_good_enough(batch, as_served):
    assert "small_batches" not in rules(small(batch, as_served))


def test_on_an_accelerator_the_gain_of_full_batches_is_in_speed():
    gpu = {"full": alone(16, 900.0, device="CUDA:0", cpu=1.0), "as_served": alone(4, 300.0, device="CUDA:0", cpu=1.0)}
    many = observed(200.0, models={VISUAL: use(4.0)})
    assert "3.00 times" in sentence(changed(figures(), many=many, visual=gpu), "small_batches")


def full(device, queue_ms):
    many = observed(800.0, models={VISUAL: use(16.0, queue=queue_ms, compute=10.0)}, in_flight=64)
    return changed(figures(), many=many, visual={"full": alone(16, 900.0, device=device)})


def test_full_batches():
    assert "try max_batch_size 32" in sentence(full("CUDA:0", 20.0), "full_batches")
    assert "full_batches" not in rules(full("CUDA:0", 5.0))
    assert "full_batches" not in rules(full("CPU", 20.0))  # more rows gain nothing there


def idle(share, queue_ms, **more):
    models = {VISUAL: use(16.0, queue=1.0, compute=100.0), PRE: use(8.0, queue=queue_ms, compute=20.0)}
    return changed(figures(), many=observed(40.0, models=models, machine=machine(idle=share), **more))


def test_waiting_beside_idle_cores():
    found = sentence(idle(0.3, 30.0), "waiting_beside_idle_cores")
    assert f"30.0 ms for {PRE} while 30%" in found
    assert "instance_group count (now 1)" in found
    assert "waiting_beside_idle_cores" not in rules(idle(0.05, 30.0))
    assert "waiting_beside_idle_cores" not in rules(idle(0.3, 5.0))


def test_idle_gaps():
    assert "30% of the cores are idle with 16" in sentence(idle(0.3, 1.0), "idle_gaps")
    assert "idle_gaps" not in rules(idle(0.05, 1.0))
    assert "idle_gaps" not in rules(idle(0.3, 30.0))  # the queue says why
    assert "idle_gaps" not in rules(idle(0.3, 1.0, client=0.95))  # the client is why


def crowded(waiting, visual_ms):
    return changed(figures(), many=observed(40.0, machine=machine(waiting=waiting, cpu={VISUAL: visual_ms, PRE: 5.0})))


def test_oversubscribed():
    found = sentence(crowded(1.2, 60.0), "oversubscribed")
    assert "1.32 times the CPU time" in found
    assert f"`threads` of {PRE}, or INFERENCE_NUM_THREADS" in found
    assert "oversubscribed" not in rules(crowded(0.2, 60.0))
    assert "oversubscribed" not in rules(crowded(1.2, 46.0))
    assert "oversubscribed" not in rules(crowded(None, 60.0))  # the kernel does not tell


def test_backend_overhead():
    assert "0.45 of its runtime alone" in sentence(changed(figures(), visual={"backend": observed(20.0)}), "backend_overhead")
    assert "backend_overhead" not in rules(changed(figures(), visual={"backend": observed(42.0)}))


def test_gathering_overhead():
    slow = changed(figures(), visual={"shared": observed(30.0, models={VISUAL: use(3.0)}), "messages": observed(30.0)})
    assert "batches of 3.0, give 0.69" in sentence(slow, "gathering_overhead")
    assert "gathering_overhead" not in rules(figures())


def test_message_size():
    assert "(151 kB there, 2 kB back) gives 0.49" in sentence(changed(figures(), visual={"messages": observed(21.0)}), "message_size")
    assert "0.51 for a lone" in sentence(changed(figures(), visual={"messages_lone": observed(20.0, p50=54.0)}), "message_size")
    assert "message_size" not in rules(figures())


def test_starved_step():
    few = changed(figures(), pre={"many": observed(50.0)}, pre_settings={"parameters": {"threads": "1"}})
    assert "0.50 of what its function does on all cores: raise its `threads` (now 1) to 2" in sentence(few, "starved_step")
    all_cores = changed(figures(), pre={"many": observed(50.0)}, pre_settings={"parameters": {"threads": "0"}})
    assert "raise its instance_group count (now 1)" in sentence(all_cores, "starved_step")
    assert "starved_step" not in rules(changed(figures(), pre={"many": observed(50.0, client=0.99)}))
    assert "starved_step" not in rules(figures())


def test_disturbed_steps():
    assert "one by one" in sentence(changed(figures(), many=observed(20.0)), "disturbed_steps")
    assert "disturbed_steps" not in rules(figures())
    assert "disturbed_steps" not in rules(changed(figures(), many=observed(20.0, client=0.99)))  # that is why


def test_leading_part():
    decoding = changed(figures(), pre={"cpu_ms": 300.0, "many": observed(6.6)}, many=observed(5.6))
    assert sentence(decoding, "leading_part").startswith(f"{PRE} is 87% of the work")
    inferring = changed(figures(), visual={"full": alone(16, 20.0, cpu=95.0), "backend": observed(20.0), "shared": observed(20.0)})
    assert "precision (now bf16)" in sentence(inferring, "leading_part")
    assert "leading_part" not in rules(figures())


def test_delayed_alone():
    assert "waits 5.0 of its 46.0 ms" in sentence(changed(figures(), settings={"queue_delay_us": 5000}), "delayed_alone")
    assert "delayed_alone" not in rules(changed(figures(), settings={"queue_delay_us": 500}))


def test_cores_unused_alone():
    one_core = changed(figures(), visual={"single": alone(1, 22.0, batch_ms=45.0, cpu=45.0)})
    found = sentence(one_core, "cores_unused_alone")
    assert "1.0 of 2 cores" in found
    assert "PERFORMANCE_HINT LATENCY" in found
    assert "cores_unused_alone" not in rules(figures())
