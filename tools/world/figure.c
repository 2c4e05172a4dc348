#include "tools/world/figure.h"

#include <math.h>

#include "tools/world/figure_rig.h"

void world_figure_draw(cairo_t *cr, const world_look *look, const world_pose *pose, double pixels) {
    fk_kit kit;
    fk_begin(&kit, pixels);
    fig f = {&kit, look, pose, {look->r, look->g, look->b}, pixels, pixels >= 110};
    switch (look->subject) {
    case WORLD_OLD_MAN:
    case WORLD_WOMAN:
    case WORLD_BOY:
        figure_person(&f);
        break;
    case WORLD_ROBOT:
        figure_robot(&f);
        break;
    case WORLD_KANGAROO:
        figure_kangaroo(&f);
        break;
    case WORLD_SHIBA:
    case WORLD_CAT:
    case WORLD_TIGER:
        figure_four_legs(&f);
        break;
    case WORLD_MONSTER:
        figure_monster(&f);
        break;
    case WORLD_DINOSAUR:
        figure_dinosaur(&f);
        break;
    case WORLD_CAR:
        figure_car(&f);
        break;
    case WORLD_BOAT:
        figure_boat(&f);
        break;
    case WORLD_FISH:
        figure_fish(&f);
        break;
    default:
        break;
    }
    fk_paint(&kit, cr);
}

double world_figure_width(int subject) {
    switch (subject) {
    case WORLD_OLD_MAN:
    case WORLD_WOMAN:
    case WORLD_BOY:
        return 0.5;
    case WORLD_ROBOT:
        return 0.55;
    case WORLD_KANGAROO:
        return 0.85;
    case WORLD_SHIBA:
    case WORLD_CAT:
    case WORLD_TIGER:
        return 0.8;
    case WORLD_MONSTER:
        return 0.8;
    case WORLD_DINOSAUR:
        return 1.1;
    case WORLD_CAR:
        return 1.55;
    case WORLD_BOAT:
        return 1.1;
    case WORLD_FISH:
        return 1.1;
    default:
        return 0.5;
    }
}

double world_figure_height(int subject) {
    switch (subject) {
    case WORLD_CAR:
        return 0.75;
    case WORLD_BOAT:
        return 1.0;
    case WORLD_FISH:
        return 0.85;
    default:
        return 1.0;
    }
}
